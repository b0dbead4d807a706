interface ModelSession {
  generation: number;
  /** Of the rotation that led to `generation`. */
  attemptId: string | undefined;
  isLive: boolean;
}

interface Call {
  operation: string;
  input: Readonly<Record<string, unknown>>;
  authorization: string | undefined;
}

/** What becomes of one call on its way. */
export type Fate =
  | 'pass'
  /** The server never hears of it. */
  | 'lose-request'
  /** The server has done it, and the caller never hears of it. */
  | 'lose-reply'
  /** No answer, no error. */
  | 'hang'
  /** The server does nothing and answers this. */
  | (() => Response);

export const PASSWORD = 'seven purple ladders lean';
export const USER = { id: 'user-1', email: 'ada@example.com', roles: ['user'] };

/**
 * The server's rules of refresh tokens, at their hardest: no grace, so that the predecessor of a token is honoured only with the `attemptId` of its
 * rotation, and any other replay ends the session. Beside that, faults on order.
 */
export class ModelServer {
  readonly calls: Call[] = [];
  readonly sessions = new Map<string, ModelSession>();
  /** How often a replaced token came back as a thief's would. */
  thefts = 0;
  accessTokenLifetimeSeconds = 900;
  scope = 'users:read';
  /** As the real server's default: what was rotated just now may be asked for again by anybody. */
  hasGrace = false;
  readonly #fates: Fate[] = [];
  readonly #standing = new Map<string, Fate>();
  #accessTokens = new Map<string, string>();
  #made = 0;

  /** What becomes of the next calls, in order; of all after them, nothing bad. */
  fates(...fates: Fate[]): void {
    this.#fates.push(...fates);
  }

  /** Lets all calls that come be answered again. */
  heal(): void {
    this.#fates.length = 0;
    this.#standing.clear();
  }

  callsOf(operation: string): Call[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  expireAccessTokens(): void {
    this.#accessTokens.clear();
  }

  revoke(): void {
    for (const session of this.sessions.values()) session.isLive = false;
  }

  get liveSessions(): string[] {
    return [...this.sessions].filter(([, { isLive }]) => isLive).map(([id]) => id);
  }

  /** What becomes of every call of one operation, until `heal`. */
  always(operation: string, fate: Fate): void {
    this.#standing.set(operation, fate);
  }

  readonly fetch: typeof globalThis.fetch = async (_input, init) => {
    const body = JSON.parse(typeof init?.body === 'string' ? init.body : '{}') as {
      query: string;
      variables?: { input?: Record<string, unknown> };
    };
    const call = {
      operation: /(?:mutation|query) (\w+)/.exec(body.query)?.[1] ?? '',
      input: body.variables?.input ?? {},
      authorization: new Headers(init?.headers).get('authorization') ?? undefined,
    };
    const fate = this.#fates.shift() ?? this.#standing.get(call.operation) ?? 'pass';
    if (fate === 'hang') return await new Promise<never>(() => undefined);
    if (fate === 'lose-request') throw new TypeError('fetch failed');
    this.calls.push(call);
    if (typeof fate === 'function') return fate();
    const answer = this.#answer(call);
    if (fate === 'lose-reply') throw new TypeError('fetch failed');
    return answer;
  };

  #answer({ operation, input, authorization }: Call): Response {
    switch (operation) {
      case 'Login':
      case 'Register':
        return input['password'] === PASSWORD ? this.#signIn(operation) : refusal('INVALID_CREDENTIALS');
      case 'Refresh':
        return this.#refresh(String(input['refreshToken']), input['attemptId'] as string | undefined);
      case 'Logout':
        return this.#logout(input, authorization);
      default:
        return this.#viewer(authorization);
    }
  }

  #signIn(operation: string): Response {
    const id = `session-${(this.#made += 1)}`;
    this.sessions.set(id, { generation: 1, attemptId: undefined, isLive: true });
    return this.#tokens(operation, id);
  }

  #refresh(refreshToken: string, attemptId: string | undefined): Response {
    const [, id = '', presented = ''] = refreshToken.split('/');
    const session = this.sessions.get(id);
    if (!session?.isLive) return refusal('INVALID_REFRESH_TOKEN');
    if (Number(presented) === session.generation) {
      session.generation += 1;
      session.attemptId = attemptId;
    } else if (
      Number(presented) !== session.generation - 1 ||
      (!this.hasGrace && (attemptId === undefined || attemptId !== session.attemptId))
    ) {
      this.thefts += 1;
      session.isLive = false;
      return refusal('INVALID_REFRESH_TOKEN');
    }
    return this.#tokens('Refresh', id);
  }

  #logout({ refreshToken, sessions = 'THIS_SESSION' }: Readonly<Record<string, unknown>>, authorization: string | undefined): Response {
    const named = typeof refreshToken === 'string' ? refreshToken.split('/')[1] : this.#accessTokens.get(bearerOf(authorization));
    // One that has ended ends no other.
    const endsAll = sessions === 'ALL_SESSIONS' && this.sessions.get(named ?? '')?.isLive === true;
    for (const [id, session] of this.sessions) if (id === named || endsAll) session.isLive = false;
    return Response.json({ data: { logout: { success: true } } });
  }

  #viewer(authorization: string | undefined): Response {
    if (authorization === undefined) return refusal('UNAUTHENTICATED', { reason: 'TOKEN_MISSING' });
    const id = this.#accessTokens.get(bearerOf(authorization));
    if (id === undefined) return refusal('UNAUTHENTICATED', { reason: 'TOKEN_EXPIRED' });
    if (!this.sessions.get(id)?.isLive) return refusal('UNAUTHENTICATED', { reason: 'SESSION_REVOKED' });
    return Response.json({ data: { viewer: { id: USER.id } } });
  }

  #tokens(operation: string, id: string): Response {
    const accessToken = `access/${id}/${(this.#made += 1)}`;
    this.#accessTokens.set(accessToken, id);
    return Response.json({
      data: {
        [operation.toLowerCase()]: {
          accessToken,
          tokenType: 'Bearer',
          expiresIn: this.accessTokenLifetimeSeconds,
          refreshToken: `refresh/${id}/${this.sessions.get(id)?.generation ?? 0}`,
          refreshTokenExpiresIn: 2_592_000,
          scope: this.scope,
          session: { id },
          user: USER,
        },
      },
    });
  }
}

export function refusal(code: string, extensions: Record<string, unknown> = {}, init?: ResponseInit): Response {
  return Response.json({ data: null, errors: [{ message: `message of ${code}`, extensions: { code, ...extensions } }] }, init);
}

function bearerOf(authorization: string | undefined): string {
  return authorization?.replace('Bearer ', '') ?? '';
}
