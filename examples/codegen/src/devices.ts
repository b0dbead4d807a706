import { execute } from './api';
import { element } from './element';
import { graphql, readFragment, type FragmentType } from './gql';

/** What a row of the list needs. Nobody but this module can read it: whoever asks for a viewer passes it on unopened. */
const DeviceFragment = graphql(`
  fragment Device on Session {
    id
    current
    lastSeenAt
    device {
      name
      platform
    }
  }
`);

const RevokeSessionDocument = graphql(`
  mutation RevokeSession($input: RevokeSessionInput!) {
    revokeSession(input: $input) {
      session {
        id
      }
    }
  }
`);

interface DeviceListOptions {
  sessions: readonly FragmentType<typeof DeviceFragment>[];
  /** Runs what a button asks for, and shows what comes of it. */
  run: (task: () => Promise<unknown>) => void;
}

export function deviceList({ sessions, run }: DeviceListOptions): HTMLElement {
  const rows = readFragment(DeviceFragment, sessions).map(({ id, current, lastSeenAt, device }) => {
    const name = device.name ?? device.platform;
    const seen = `last seen ${new Date(lastSeenAt).toLocaleString()}`;
    if (current) return element('li', {}, element('span', {}, element('strong', {}, name), ` · this device · ${seen}`));
    const revoke = element('button', {
      type: 'button',
      ariaLabel: `Sign out ${name}`,
      textContent: 'Sign out',
      onclick: () => run(() => execute(RevokeSessionDocument, { input: { sessionId: id } })),
    });
    return element('li', {}, element('span', {}, element('strong', {}, name), ` · ${seen}`), revoke);
  });
  return element('ul', {}, ...rows);
}
