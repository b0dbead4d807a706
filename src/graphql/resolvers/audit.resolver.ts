import { Arg, Directive, Int, Query, Resolver } from 'type-graphql';

import { badInput } from '../../errors.js';
import type { AuditStore } from '../../persistence/audit.store.js';
import { AuditFilterInput } from '../inputs/inputs.js';
import { decodeNumberCursor, encodeCursor, parsePageSize } from '../inputs/page.js';
import { parseUserId } from '../inputs/parse.js';
import { AuditEventConnection } from '../types/audit.type.js';
import { pageInfo } from '../types/page.type.js';

/** What happened, for those who have to know. */
@Resolver()
export class AuditResolver {
  constructor(private readonly audit: Pick<AuditStore, 'page'>) {}

  @Directive('@requiresScopes(scopes: [["audit:read"]])')
  @Query(() => AuditEventConnection, { description: 'What happened to accounts, the newest first.' })
  async auditEvents(
    @Arg('first', () => Int, { nullable: true, defaultValue: 50, description: 'How many, from 1 to 100.' }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: 'The endCursor of the page before.' }) after: string | null | undefined,
    @Arg('filter', () => AuditFilterInput, { nullable: true, description: 'Which events; left out, all.' })
    filter: AuditFilterInput | null | undefined,
  ): Promise<AuditEventConnection> {
    if (filter?.types?.length === 0) throw badInput('filter.types', 'notEmpty', 'Name a type, or leave "types" out.');
    const beforeId = after == null ? undefined : decodeNumberCursor(after);
    const { events, hasMore } = await this.audit.page(parsePageSize(first), beforeId, {
      userId: filter?.userId == null ? undefined : parseUserId(filter.userId, 'filter.userId'),
      types: filter?.types ?? undefined,
    });
    const edges = events.map((event) => ({ cursor: encodeCursor(event.id), node: event }));
    return { edges, pageInfo: pageInfo(edges, { hasNextPage: hasMore, hasPreviousPage: beforeId !== undefined }) };
  }
}
