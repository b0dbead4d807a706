// Made from schema/ by a test of it. After a change there: UPDATE_DOCS=1 npx vitest run --project client operations

import type { TypedDocument } from './typed-document.js';

/** What happened. */
export type AuditEventType =
  | 'PASSWORD_CHANGED'
  | 'REFRESH_TOKEN_REUSED'
  | 'REGISTERED'
  | 'ROLES_CHANGED'
  | 'SESSIONS_REVOKED'
  | 'SESSION_REVOKED'
  | 'SIGNED_IN'
  | 'SIGNING_KEY_MADE'
  | 'SIGNING_KEY_REVOKED'
  | 'SIGN_IN_FAILED'
  | 'USER_DISABLED'
  | 'USER_ENABLED'
  | 'USER_UNLOCKED';

/** Which audit events; all conditions hold together. */
export interface AuditFilterInput {
  /** Those of these types. */
  types?: readonly AuditEventType[] | null;
  /** Those that happened to this user. */
  userId?: string | null;
}

/** A password to replace. */
export interface ChangePasswordInput {
  /** The password that holds now. */
  currentPassword: string;
  /** Every other session ends unless this is true. */
  keepOtherSessions?: boolean;
  /** The password to hold from now on. */
  newPassword: string;
}

/** The device that signs in, as its owner will see it in the list of sessions. */
export interface DeviceInput {
  /** What its owner calls it; at most 128 characters. */
  name?: string | null;
  /** What it runs; OTHER if left out. */
  platform?: DevicePlatform | null;
}

/** What a device runs. */
export type DevicePlatform = 'ANDROID' | 'IOS' | 'LINUX' | 'MACOS' | 'OTHER' | 'WEB' | 'WINDOWS';

/** Who signs in. */
export interface LoginInput {
  /** The device that signs in. */
  device?: DeviceInput | null;
  /** The e-mail address or the username. */
  identifier: string;
  /** The password. */
  password: string;
  /** Narrows the session to these scopes; never widens it. */
  scopes?: readonly string[] | null;
}

/** What to end. With a refresh token, no access token is needed. Without one, the bearer token names the session. */
export interface LogoutInput {
  /** The refresh token of the session; it may have been replaced already. */
  refreshToken?: string | null;
  /** Which sessions to end. */
  sessions?: SessionSelection;
}

/** A refresh token to trade for a new pair. */
export interface RefreshInput {
  /** 1 to 128 characters, chosen by the client, the same on every retry of one refresh. */
  attemptId?: string | null;
  /** The refresh token that was received last. */
  refreshToken: string;
}

/** Who registers. */
export interface RegisterInput {
  /** The device that signs in. */
  device?: DeviceInput | null;
  /** The e-mail address; letter case does not count. */
  email: string;
  /** At least 15 characters unless configured otherwise; a few words do well. */
  password: string;
  /** A name to sign in with beside the e-mail address: 3 to 32 letters, digits, dots, hyphens or underscores. */
  username?: string | null;
}

/** A session to end. */
export interface RevokeSessionInput {
  /** The id of one of the caller's own sessions. */
  sessionId: string;
}

/** Which sessions of the user. */
export type SessionSelection = 'ALL_SESSIONS' | 'OTHER_SESSIONS' | 'THIS_SESSION';

/** Whether a user may sign in. */
export interface SetUserDisabledInput {
  /** True ends every session of the user and refuses new ones; false allows them again. */
  disabled: boolean;
  /** The user. */
  userId: string;
}

/** Roles to give to a user. */
export interface SetUserRolesInput {
  /** All the roles that the user is to have; any other is taken away. */
  roles: readonly string[];
  /** The user. */
  userId: string;
}

export type AuditEventsVariables = { first?: number | null; after?: string | null; filter?: AuditFilterInput | null };

export type AuditEventsData = {
  auditEvents: {
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
    edges: readonly {
      cursor: string;
      node: {
        id: string;
        occurredAt: string;
        type:
          | 'PASSWORD_CHANGED'
          | 'REFRESH_TOKEN_REUSED'
          | 'REGISTERED'
          | 'ROLES_CHANGED'
          | 'SESSIONS_REVOKED'
          | 'SESSION_REVOKED'
          | 'SIGNED_IN'
          | 'SIGNING_KEY_MADE'
          | 'SIGNING_KEY_REVOKED'
          | 'SIGN_IN_FAILED'
          | 'USER_DISABLED'
          | 'USER_ENABLED'
          | 'USER_UNLOCKED';
        userId: string | null;
        sessionId: string | null;
        actorId: string | null;
        ipAddress: string | null;
        userAgent: string | null;
        reason: string | null;
      };
    }[];
  };
};

/** Lists what happened to accounts, the newest first, one page at a time; needs the scope audit:read. */
export const AuditEventsDocument =
  'query AuditEvents($first:Int$after:String$filter:AuditFilterInput){auditEvents(first:$first after:$after filter:$filter){pageInfo{hasNextPage endCursor}edges{cursor node{id occurredAt type userId sessionId actorId ipAddress userAgent reason}}}}' as TypedDocument<
    AuditEventsData,
    AuditEventsVariables
  >;

export type ChangePasswordVariables = { input: ChangePasswordInput };

export type ChangePasswordData = { changePassword: { user: { id: string; email: string } } };

/** Changes the signed-in user's password and ends every other session unless told to keep them. */
export const ChangePasswordDocument =
  'mutation ChangePassword($input:ChangePasswordInput!){changePassword(input:$input){user{id email}}}' as TypedDocument<
    ChangePasswordData,
    ChangePasswordVariables
  >;

export type LoginVariables = { input: LoginInput };

export type LoginData = {
  login: {
    accessToken: string;
    tokenType: string;
    expiresIn: number;
    refreshToken: string;
    refreshTokenExpiresIn: number;
    scope: string;
    session: { id: string };
    user: { id: string; email: string; roles: readonly string[] };
  };
};

/** Signs in with an e-mail address or a username, and answers the tokens of a new session. */
export const LoginDocument =
  'mutation Login($input:LoginInput!){login(input:$input){accessToken tokenType expiresIn refreshToken refreshTokenExpiresIn scope session{id}user{id email roles}}}' as TypedDocument<
    LoginData,
    LoginVariables
  >;

export type LogoutVariables = { input?: LogoutInput | null };

export type LogoutData = { logout: { success: boolean } };

/** Ends the session of the refresh token given or, without one, that of the bearer token. */
export const LogoutDocument = 'mutation Logout($input:LogoutInput){logout(input:$input){success}}' as TypedDocument<
  LogoutData,
  LogoutVariables
>;

export type RefreshVariables = { input: RefreshInput };

export type RefreshData = {
  refresh: {
    accessToken: string;
    tokenType: string;
    expiresIn: number;
    refreshToken: string;
    refreshTokenExpiresIn: number;
    scope: string;
    session: { id: string };
    user: { id: string; email: string; roles: readonly string[] };
  };
};

/** Exchanges a refresh token for a new access token; repeat the same attemptId when a reply was lost. */
export const RefreshDocument =
  'mutation Refresh($input:RefreshInput!){refresh(input:$input){accessToken tokenType expiresIn refreshToken refreshTokenExpiresIn scope session{id}user{id email roles}}}' as TypedDocument<
    RefreshData,
    RefreshVariables
  >;

export type RegisterVariables = { input: RegisterInput };

export type RegisterData = {
  register: {
    accessToken: string;
    tokenType: string;
    expiresIn: number;
    refreshToken: string;
    refreshTokenExpiresIn: number;
    scope: string;
    session: { id: string };
    user: { id: string; email: string; roles: readonly string[] };
  };
};

/** Creates an account and signs it in at once. */
export const RegisterDocument =
  'mutation Register($input:RegisterInput!){register(input:$input){accessToken tokenType expiresIn refreshToken refreshTokenExpiresIn scope session{id}user{id email roles}}}' as TypedDocument<
    RegisterData,
    RegisterVariables
  >;

export type RevokeSessionVariables = { input: RevokeSessionInput };

export type RevokeSessionData = {
  revokeSession: {
    session: {
      id: string;
      device: { name: string | null; platform: 'ANDROID' | 'IOS' | 'LINUX' | 'MACOS' | 'OTHER' | 'WEB' | 'WINDOWS' };
      lastSeenAt: string;
      current: boolean;
    };
  };
};

/** Ends one of the signed-in user's sessions, such as that of a lost phone. */
export const RevokeSessionDocument =
  'mutation RevokeSession($input:RevokeSessionInput!){revokeSession(input:$input){session{id device{name platform}lastSeenAt current}}}' as TypedDocument<
    RevokeSessionData,
    RevokeSessionVariables
  >;

export type SetUserDisabledVariables = { input: SetUserDisabledInput };

export type SetUserDisabledData = { setUserDisabled: { id: string; email: string; disabled: boolean } };

/** Disables a user, which ends every session, or enables one again; needs the scopes users:write and users:read. */
export const SetUserDisabledDocument =
  'mutation SetUserDisabled($input:SetUserDisabledInput!){setUserDisabled(input:$input){id email disabled}}' as TypedDocument<
    SetUserDisabledData,
    SetUserDisabledVariables
  >;

export type SetUserRolesVariables = { input: SetUserRolesInput };

export type SetUserRolesData = { setUserRoles: { id: string; email: string; roles: readonly string[] } };

/** Replaces the roles of a user, whose access tokens go stale at once; needs the scope users:write. */
export const SetUserRolesDocument =
  'mutation SetUserRoles($input:SetUserRolesInput!){setUserRoles(input:$input){id email roles}}' as TypedDocument<
    SetUserRolesData,
    SetUserRolesVariables
  >;

export type UsersVariables = { first?: number | null; after?: string | null };

export type UsersData = {
  users: {
    totalCount: number;
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
    edges: readonly {
      cursor: string;
      node: { id: string; email: string; username: string | null; roles: readonly string[]; disabled: boolean; createdAt: string };
    }[];
  };
};

/** Lists the users, one page at a time; needs the scope users:read. */
export const UsersDocument =
  'query Users($first:Int$after:String){users(first:$first after:$after){totalCount pageInfo{hasNextPage endCursor}edges{cursor node{id email username roles disabled createdAt}}}}' as TypedDocument<
    UsersData,
    UsersVariables
  >;

export type ViewerVariables = Record<string, never>;

export type ViewerData = {
  viewer: {
    id: string;
    email: string;
    username: string | null;
    roles: readonly string[];
    sessions: readonly {
      id: string;
      device: { name: string | null; platform: 'ANDROID' | 'IOS' | 'LINUX' | 'MACOS' | 'OTHER' | 'WEB' | 'WINDOWS' };
      createdAt: string;
      lastSeenAt: string;
      expiresAt: string;
      current: boolean;
    }[];
  };
};

/** Answers the signed-in user and every session that is open. */
export const ViewerDocument =
  'query Viewer{viewer{id email username roles sessions{id device{name platform}createdAt lastSeenAt expiresAt current}}}' as TypedDocument<
    ViewerData,
    ViewerVariables
  >;
