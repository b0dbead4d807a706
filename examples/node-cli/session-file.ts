import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import process from 'node:process';

/** Where the session with this server is kept. One file for each server: a refresh token goes to the one that issued it, and to no other. */
export function sessionFile(endpoint: URL): string {
  return join(configFolder(), 'latchkey-example', encodeURIComponent(endpoint.origin + endpoint.pathname));
}

/** Where programs of this user keep what they need again. */
function configFolder(): string {
  const { APPDATA = '', XDG_CONFIG_HOME = '' } = process.env;
  if (process.platform === 'win32') return APPDATA || join(homedir(), 'AppData', 'Roaming');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support');
  // A relative one is to be ignored (XDG Base Directory Specification).
  return isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : join(homedir(), '.config');
}
