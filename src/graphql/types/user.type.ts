import { Field, ID, Int, ObjectType } from 'type-graphql';

/** A reference: its id is known, its other fields are loaded when they are asked for (`resolvers/user.resolver.ts`). */
@ObjectType('User', { description: 'Someone who can sign in.' })
export class UserType {
  @Field(() => ID, { description: 'A UUID, never reused.' })
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }
}

@ObjectType({ description: 'Where a page begins and ends (Relay cursor connections).' })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether more follow after endCursor.' })
  hasNextPage!: boolean;

  @Field(() => Boolean, { description: 'Whether others stand before startCursor.' })
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true, description: 'The cursor of the first one of the page.' })
  startCursor!: string | null;

  @Field(() => String, { nullable: true, description: 'The cursor of the last one of the page: give it as "after" for the next one.' })
  endCursor!: string | null;
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
