import { describe, expect, it } from 'vitest';

import { networkOf } from '../../../src/accounts/network.js';

describe('the network of an address', () => {
  it.each<[string, readonly string[]]>([
    ['2001:db8:0:1::/64', ['2001:db8:0:1::', '2001:db8:0:1::1', '2001:DB8::1:ffff:ffff:ffff:ffff', '2001:0db8:0000:0001:0:0:0:9']],
    ['2001:db8:0:2::/64', ['2001:db8:0:2::1', '2001:db8::2:0:0:0:1']],
    ['fe80:0:0:0::/64', ['fe80::1', 'fe80::1%eth0', 'FE80::2%3', 'fe80::3%eth0%x']],
    ['0:0:0:0::/64', ['::', '::1', '0:0:0:0:0:0:0:1', '::192.0.2.1']],
    // RFC 6052 section 2.1: these are IPv6 networks, whatever their last bits say.
    ['64:ff9b:0:0::/64', ['64:ff9b::192.0.2.1', '64:ff9b::c000:201']],
    ['192.0.2.1', ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:192.0.2.1', '::ffff:c000:201', '::ffff:c000:0201', '0:0:0:0:0:ffff:192.0.2.1']],
    ['192.0.2.2', ['192.0.2.2', '::ffff:192.0.2.2%eth0']],
  ])('%s is one, in every spelling', (network, addresses) => {
    expect(addresses.map(networkOf)).toEqual(addresses.map(() => network));
  });

  it.each([
    ['2001:db8:0:1::1', '2001:db8:0:2::1'],
    ['192.0.2.1', '192.0.2.2'],
    ['::1', '::ffff:0.0.0.1'],
    ['192.0.2.1', '::192.0.2.1'],
  ])('is not the same for %s and %s', (one, other) => {
    expect(networkOf(one)).not.toBe(networkOf(other));
  });

  it('stays one for 10 000 addresses that one holder has', () => {
    const networks = Array.from({ length: 10_000 }, (_, i) =>
      networkOf(`2001:db8:1:2:${i.toString(16)}:${((i * 7) % 0x10000).toString(16)}:0:${i.toString(16)}`),
    );
    expect(new Set(networks).size).toBe(1);
  });

  it.each([
    null,
    '',
    ' ',
    'localhost',
    'unix:',
    '192.0.2',
    '192.0.2.1.1',
    '192.0.2.256',
    '192.0.2.1:443',
    '192.000.002.001',
    '0x7f.1',
    '2130706433',
    '[::1]',
    '[::1]:443',
    '::ffff:192.0.2.256',
    '1::2::3',
    ':::1',
    '2001:db8::/64',
    '2001:db8::1]@[::1',
    '192.0.2.1, 192.0.2.2',
    '%eth0',
    '\0',
    '１９２.0.2.1',
  ])('is none for %j, which is no address', (text) => {
    expect(networkOf(text)).toBeUndefined();
  });
});
