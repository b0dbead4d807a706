import { Field, ID, Int, ObjectType } from 'type-graphql';

import { PageInfo } from './page.type.js';

/** A reference: its id is known, its other fields are loaded when they are asked for (`resolvers/user.resolver.ts`). */
@ObjectType('User', { description: 'Someone who can sign in.' })
export class UserType {
  @Field(() => ID, { description: 'A UUID, never reused.' })
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }
}

@ObjectType({ description: 'A user on a page.' })
class UserEdge {
  @Field(() => String, { description: 'Marks this place in the list.' })
  cursor!: string;

  @Field(() => UserType, { description: 'The user.' })
  node!: UserType;
}

@ObjectType({ description: 'A page of users, in the order of registration.' })
export class UserConnection {
  @Field(() => [UserEdge], { description: 'The users of this page.' })
  edges!: UserEdge[];

  @Field(() => PageInfo, { description: 'Where this page begins and ends.' })
  pageInfo!: PageInfo;

  @Field(() => Int, { description: 'How many users there are in all.' })
  totalCount!: number;
}
