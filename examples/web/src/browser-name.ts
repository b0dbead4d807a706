// The order matters: most browsers name others too.
const BROWSERS = { Edg: 'Edge', OPR: 'Opera', Firefox: 'Firefox', Chrome: 'Chrome', Safari: 'Safari' };
const SYSTEMS = { Android: 'Android', iPhone: 'iPhone', iPad: 'iPad', Windows: 'Windows', 'Mac OS': 'Mac', Linux: 'Linux' };

/** A name by which the owner knows the browser again in a list, such as `Firefox on Linux`. Nothing is decided by it. */
export function browserName(userAgent: string): string {
  const nameIn = (names: Record<string, string>) => Object.entries(names).find(([word]) => userAgent.includes(word))?.[1];
  return `${nameIn(BROWSERS) ?? 'A browser'} on ${nameIn(SYSTEMS) ?? 'a computer'}`;
}
