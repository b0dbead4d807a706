import { Field, ObjectType } from 'type-graphql';

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

export function pageInfo(edges: readonly { cursor: string }[], has: Pick<PageInfo, 'hasNextPage' | 'hasPreviousPage'>): PageInfo {
  return { ...has, startCursor: edges[0]?.cursor ?? null, endCursor: edges.at(-1)?.cursor ?? null };
}
