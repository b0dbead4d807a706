import { describe, expect, it } from 'vitest';

import { OperatorError } from '../../../src/errors.js';
import { explainListenFault } from '../../../src/http/listen-fault.js';

const place = { host: 'db.example.com', port: 80, variable: 'PORT' };

describe('an address that cannot be listened on', () => {
  it.each([
    ['EADDRINUSE', /^Port 80 of db\.example\.com is taken\. .* PORT /],
    ['EACCES', /may not listen on port 80\. Set PORT /],
    ['EADDRNOTAVAIL', /no address "db\.example\.com"\. Set HOST /],
    ['ENOTFOUND', /no address "db\.example\.com"\. Set HOST /],
  ])('is told with what to do: %s', (code, message) => {
    const cause = Object.assign(new Error('listen'), { code });
    const fault = explainListenFault(cause, place);
    expect(fault).toBeInstanceOf(OperatorError);
    expect(fault).toMatchObject({ message: expect.stringMatching(message) as string, cause });
  });

  it.each([new Error('something else'), Object.assign(new Error('listen'), { code: 'EMFILE' }), 'no error'])(
    'is left to whoever knows: %s',
    (error) => {
      expect(explainListenFault(error, place)).toBe(error);
    },
  );
});
