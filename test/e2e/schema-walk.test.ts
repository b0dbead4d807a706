import { readFileSync } from 'node:fs';
import { buildSchema, getNamedType, isLeafType, isObjectType, type GraphQLObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createCalls, newPerson, PASSWORD, type Calls, type Tokens } from '../support/calls.js';
import { bearer } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestServer, type TestServer } from '../support/server.js';

/** What it takes to read a field, beside what it takes to get to its object. */
type Need =
  | 'nothing'
  /** A live access token. */
  | 'session'
  /** To be the user that the object is, or to have the scope users:read. */
  | 'self'
  | 'users:read'
  | 'users:write'
  | 'audit:read';

/** Who may read or do what. A field that is not in here fails the test: whoever adds one decides, and writes it down. */
const POLICY: Readonly<Record<string, Readonly<Record<string, Need>>>> = {
  Query: { viewer: 'session', users: 'users:read', auditEvents: 'audit:read' },
  Mutation: {
    register: 'nothing',
    login: 'nothing',
    refresh: 'nothing',
    logout: 'nothing',
    changePassword: 'session',
    revokeSession: 'session',
    setUserRoles: 'users:write',
    setUserDisabled: 'users:write',
  },
  User: {
    id: 'nothing',
    email: 'nothing',
    username: 'nothing',
    roles: 'nothing',
    createdAt: 'nothing',
    disabled: 'users:read',
    sessions: 'self',
  },
  Session: {
    id: 'nothing',
    device: 'nothing',
    createdAt: 'nothing',
    lastSeenAt: 'nothing',
    expiresAt: 'nothing',
    current: 'nothing',
    ipAddress: 'nothing',
    userAgent: 'nothing',
  },
  Device: { name: 'nothing', platform: 'nothing' },
  TokenResponse: {
    accessToken: 'nothing',
    tokenType: 'nothing',
    expiresIn: 'nothing',
    refreshToken: 'nothing',
    refreshTokenExpiresIn: 'nothing',
    scope: 'nothing',
    session: 'nothing',
    user: 'nothing',
  },
  LogoutPayload: { success: 'nothing' },
  ChangePasswordPayload: { user: 'nothing' },
  RevokeSessionPayload: { session: 'nothing' },
  UserConnection: { edges: 'nothing', pageInfo: 'nothing', totalCount: 'nothing' },
  UserEdge: { cursor: 'nothing', node: 'nothing' },
  PageInfo: { hasNextPage: 'nothing', hasPreviousPage: 'nothing', startCursor: 'nothing', endCursor: 'nothing' },
  AuditEventConnection: { edges: 'nothing', pageInfo: 'nothing' },
  AuditEventEdge: { cursor: 'nothing', node: 'nothing' },
  AuditEvent: {
    id: 'nothing',
    occurredAt: 'nothing',
    type: 'nothing',
    userId: 'nothing',
    sessionId: 'nothing',
    actorId: 'nothing',
    ipAddress: 'nothing',
    userAgent: 'nothing',
    reason: 'nothing',
  },
};

const schema = buildSchema(readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8'));
const objectTypes = Object.values(schema.getTypeMap()).filter(
  (type): type is GraphQLObjectType => isObjectType(type) && !type.name.startsWith('__'),
);

interface Step {
  type: string;
  field: string;
}

interface Place {
  operation: 'query' | 'mutation';
  /** The fields that lead to an object. */
  path: readonly [Step, ...Step[]];
  /** The object's type, and its fields that hold no other object. */
  type: string;
  leaves: readonly string[];
}

/** Every way to every object, through each type once. */
function placesUnder(type: GraphQLObjectType, operation: Place['operation'], path: readonly Step[], seen: readonly string[]): Place[] {
  const fields = Object.values(type.getFields()).map(({ name, type: fieldType }) => ({ name, type: getNamedType(fieldType) }));
  const leaves = fields.filter((field) => isLeafType(field.type)).map(({ name }) => name);
  const [first, ...rest] = path;
  const here: Place[] = first === undefined ? [] : [{ operation, path: [first, ...rest], type: type.name, leaves }];
  const beyond = fields.flatMap(({ name, type: next }) => {
    if (isLeafType(next) || seen.includes(next.name)) return [];
    // No place is known for an interface or a union: whoever adds one has to teach the walk.
    if (!isObjectType(next)) throw new Error(`${type.name}.${name} is no object`);
    return placesUnder(next, operation, [...path, { type: type.name, field: name }], [...seen, next.name]);
  });
  return [...here, ...beyond];
}

const places = [
  ...placesUnder(schema.getQueryType()!, 'query', [], ['Query']),
  ...placesUnder(schema.getMutationType()!, 'mutation', [], ['Mutation']),
];

const CALLERS = ['nobody', 'user', 'other', 'writer', 'admin', 'expired', 'revoked'] as const;
type Caller = (typeof CALLERS)[number];

const UNAUTHENTICATED: Readonly<Partial<Record<Caller, string>>> = {
  nobody: 'TOKEN_MISSING',
  expired: 'TOKEN_EXPIRED',
  revoked: 'SESSION_REVOKED',
};
const SCOPES: Readonly<Partial<Record<Caller, readonly Need[]>>> = {
  writer: ['users:write'],
  admin: ['users:read', 'users:write', 'audit:read'],
};

/** The code or the reason that someone is refused for, if anything. */
function refusalOf(need: Need, caller: Caller, subject: Caller): string | undefined {
  if (need === 'nothing') return undefined;
  const reason = UNAUTHENTICATED[caller];
  if (reason !== undefined || need === 'session') return reason;
  const scopes = SCOPES[caller] ?? [];
  if (need === 'self') return caller === subject || scopes.includes('users:read') ? undefined : 'INSUFFICIENT_SCOPE';
  return scopes.includes(need) ? undefined : 'INSUFFICIENT_SCOPE';
}

/** What a root field is given, and what that leads to. */
interface Entry {
  inputType?: string;
  /** Made before the call that counts. */
  input?: (caller: Caller) => unknown;
  /** Who asks from here on: the one who has just signed in. */
  becomes?: Caller;
  /** Whose objects come back; the caller's own unless told. */
  subject?: Caller;
  /** What the field itself answers to some, although they may ask. */
  refuses?: Partial<Record<Caller, string>>;
}

describe('A15: who may read and do what', () => {
  const clock = { aheadMs: 0, now: () => Date.now() + clock.aheadMs, monotonic: () => performance.now() };
  const people = { user: newPerson(), other: newPerson(), admin: newPerson() };
  const tokens: Partial<Record<Caller, Tokens>> = {};
  let database: TestDatabase;
  let server: TestServer;
  let call: Calls;
  let targetId: string;

  const login = (who: keyof typeof people, scopes?: string[]) =>
    call.answer<Tokens>('login', { input: { identifier: people[who].email, password: PASSWORD, scopes } });

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startTestServer({ variables: database.variables, overrides: { clock } });
    call = createCalls(server.graphql);
    const nobody = { signedIn: null, ipAddress: null, userAgent: null };
    ({ userId: targetId } = await server.accounts.register(newPerson(), nobody));
    await server.accounts.register(people.user, nobody);
    await server.accounts.register(people.other, nobody);
    await server.accounts.register(people.admin, nobody, ['user', 'admin']);
    tokens.user = await login('user');
    tokens.other = await login('other');
    tokens.admin = await login('admin');
    tokens.writer = await login('admin', ['users:write']);
    tokens.expired = await login('user');
    tokens.revoked = await login('user');
    await call.answer('logout', { input: { refreshToken: tokens.revoked.refreshToken } });
  });

  afterAll(async () => {
    await server.close();
    await database.drop();
  });

  const entries: Readonly<Record<string, Entry>> = {
    viewer: {},
    users: { subject: 'other' },
    auditEvents: {},
    register: { inputType: 'RegisterInput', input: newPerson, becomes: 'user', subject: 'user' },
    login: {
      inputType: 'LoginInput',
      input: () => ({ identifier: people.user.email, password: PASSWORD }),
      becomes: 'user',
      subject: 'user',
    },
    refresh: {
      inputType: 'RefreshInput',
      input: async () => ({ refreshToken: (await login('user')).refreshToken }),
      becomes: 'user',
      subject: 'user',
    },
    logout: { inputType: 'LogoutInput', input: async () => ({ refreshToken: (await login('user')).refreshToken }) },
    changePassword: {
      inputType: 'ChangePasswordInput',
      input: () => ({ currentPassword: PASSWORD, newPassword: PASSWORD, keepOtherSessions: true }),
    },
    revokeSession: {
      inputType: 'RevokeSessionInput',
      input: async (caller) => ({ sessionId: (await login(caller === 'admin' || caller === 'writer' ? 'admin' : 'user')).session.id }),
      // The session is another user's.
      refuses: { other: 'BAD_USER_INPUT' },
    },
    setUserRoles: { inputType: 'SetUserRolesInput', input: () => ({ userId: targetId, roles: ['user'] }), subject: 'other' },
    setUserDisabled: { inputType: 'SetUserDisabledInput', input: () => ({ userId: targetId, disabled: false }), subject: 'other' },
  };

  /** The document for some fields of a place: as anyone would write it, or under other names and through fragments. */
  const documentFor = ({ operation, path, type }: Place, leaves: readonly string[], isDisguised: boolean) => {
    const [{ field: root, type: rootType }] = path;
    const { inputType } = entries[root]!;
    const argument = inputType === undefined ? '' : '(input: $input)';
    const selection = path.reduceRight(
      (inner, step, depth) => {
        const field = depth === 0 ? `${step.field}${argument}` : step.field;
        return isDisguised ? `a${depth}: ${field} { ${inner} }` : `${field} { ${inner} }`;
      },
      isDisguised ? `...Leaves` : leaves.join(' '),
    );
    const fragment = isDisguised ? ` fragment Leaves on ${type} { ${leaves.join(' ')} }` : '';
    const inRoot = isDisguised ? `... on ${rootType} { ${selection} }` : selection;
    return `${operation}${inputType === undefined ? '' : ` ($input: ${inputType}!)`} { ${inRoot} }${fragment}`;
  };

  const outcomeOf = async (caller: Caller, place: Place, leaves: readonly string[], isDisguised: boolean) => {
    const variables = { input: await entries[place.path[0].field]!.input?.(caller) };
    const { accessToken } = tokens[caller] ?? {};
    // The others' tokens are as old: time moves for this call only.
    clock.aheadMs = caller === 'expired' ? 3_600_000 : 0;
    const { data, errors } = await server.graphql(
      documentFor(place, leaves, isDisguised),
      variables,
      accessToken === undefined ? {} : bearer(accessToken),
    );
    clock.aheadMs = 0;
    return { data, codes: errors.map(({ extensions }) => extensions.reason ?? extensions.code) };
  };

  it('is written down for every field there is, and for no other', () => {
    const fields = Object.fromEntries(objectTypes.map((type) => [type.name, Object.keys(type.getFields()).sort()]));
    expect(Object.fromEntries(Object.entries(POLICY).map(([type, needs]) => [type, Object.keys(needs).sort()]))).toEqual(fields);
    expect(new Set(places.map(({ path: [{ field }] }) => field))).toEqual(new Set(Object.keys(entries)));
  });

  const named = places.map((place): [string, Place] => [place.path.map(({ field }) => field).join('.'), place]);

  it.each(named)('holds for %s, whoever asks, however it is spelt', async (_name, place) => {
    const [{ field: root }] = place.path;
    const { becomes, subject, refuses } = entries[root]!;
    for (const caller of CALLERS) {
      const after = becomes ?? caller;
      const owner = subject ?? after;
      const onTheWay = place.path
        .map(({ type, field }, depth) => refusalOf(POLICY[type]![field]!, depth === 0 ? caller : after, owner))
        .concat(refuses?.[caller])
        .find((refusal) => refusal !== undefined);
      const needs = place.leaves.map((leaf) => ({ leaf, refusal: onTheWay ?? refusalOf(POLICY[place.type]![leaf]!, after, owner) }));
      const open = needs.filter(({ refusal }) => refusal === undefined).map(({ leaf }) => leaf);
      const shut = onTheWay === undefined ? needs.filter(({ refusal }) => refusal !== undefined) : needs.slice(0, 1);

      if (open.length > 0) {
        const { data, codes } = await outcomeOf(caller, place, open, false);
        expect({ caller, codes }).toEqual({ caller, codes: [] });
        expect(data).not.toBeNull();
      }
      for (const { leaf, refusal } of shut) {
        for (const isDisguised of [false, true]) {
          const { codes } = await outcomeOf(caller, place, onTheWay === undefined ? [leaf] : place.leaves, isDisguised);
          expect({ caller, isDisguised, leaf, codes: [...new Set(codes)] }).toEqual({ caller, isDisguised, leaf, codes: [refusal] });
        }
      }
    }
  });
});
