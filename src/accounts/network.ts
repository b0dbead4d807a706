import { isIPv4, isIPv6 } from 'node:net';

/**
 * The network that an address counts as: an IPv6 address is one of a /64 that its holder has for the taking (RFC 6177), an IPv4 address
 * stands for itself, in whichever form it comes. Undefined for what is no address.
 */
export function networkOf(address: string | null): string | undefined {
  if (address === null) return undefined;
  const plain = address.replace(/%.*$/, '');
  if (isIPv4(plain)) return plain;
  if (!isIPv6(plain)) return undefined;
  const groups = expand(plain);
  return isMappedIPv4(groups) ? toIPv4(groups) : `${groups.slice(0, 4).join(':')}::/64`;
}

/** The eight groups of an IPv6 address, without leading zeros. */
function expand(address: string): string[] {
  // The system's own parser folds every spelling, an IPv4 tail included, into one.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
}

/** An IPv4 address that came by an IPv6 socket: ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
function isMappedIPv4(groups: readonly string[]): boolean {
  return groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff';
}

function toIPv4(groups: readonly string[]): string {
  return groups
    .slice(6)
    .flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff])
    .join('.');
}
