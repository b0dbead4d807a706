export { createAuth, type Auth, type AuthOptions } from './auth.js';
export type { FieldFault, GraphQLErrorLike } from './core/faults.js';
export type { Lock } from './core/lock.js';
export { OfflineError, type OfflineReason } from './core/offline-error.js';
export type { LogoutResult, SignInError, SignInResult } from './core/signing.js';
export type { AuthState, Session, SignedOutReason, User } from './core/state.js';
export type { TokenStorage } from './storage/token-storage.js';
export type { TypedDocument } from './typed-document.js';
