import { useMutation } from '@apollo/client/react';
import type { ViewerData } from '@latchkey/client/operations';

import { RevokeSessionDocument, ViewerDocument } from './documents';
import { toRefusal } from './refusal';

type Session = ViewerData['viewer']['sessions'][number];

interface DevicesProps {
  sessions: readonly Session[];
  isLoading: boolean;
  reload: () => void;
}

/** Where the user is signed in. To revoke one signs that device out: it learns of it with its next request. */
export function Devices({ sessions, isLoading, reload }: DevicesProps) {
  const [revoke, { error, loading }] = useMutation(RevokeSessionDocument, { refetchQueries: [ViewerDocument], awaitRefetchQueries: true });

  return (
    <section className="card" aria-labelledby="devices">
      <header>
        <h2 id="devices">Devices</h2>
        <button type="button" className="link" aria-disabled={isLoading} onClick={reload}>
          {isLoading ? 'Loading…' : 'Reload'}
        </button>
      </header>
      <div role="alert">{error !== undefined && <p className="refusal">{toRefusal(error).message}</p>}</div>
      <ul className="devices" aria-busy={isLoading}>
        {sessions.map((session) => (
          <Device
            key={session.id}
            {...session}
            isBusy={loading}
            // Apollo tells of a failure by `error` as well.
            revoke={() => void revoke({ variables: { input: { sessionId: session.id } } }).catch(() => undefined)}
          />
        ))}
      </ul>
    </section>
  );
}

const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

function Device({ device, current, createdAt, lastSeenAt, isBusy, revoke }: Session & { isBusy: boolean; revoke: () => void }) {
  const name = device.name ?? 'A device without a name';
  return (
    <li>
      <div>
        <strong>{name}</strong> {current && <span className="badge">this device</span>}
        <p className="hint">
          {PLATFORMS[device.platform]} · {current ? 'signed in' : 'last seen'} {time.format(new Date(current ? createdAt : lastSeenAt))}
        </p>
      </div>
      {!current && (
        <button type="button" aria-label={`Sign out ${name}`} aria-disabled={isBusy} onClick={isBusy ? undefined : revoke}>
          Sign out
        </button>
      )}
    </li>
  );
}

const PLATFORMS: Record<Session['device']['platform'], string> = {
  ANDROID: 'Android',
  IOS: 'iOS',
  LINUX: 'Linux',
  MACOS: 'macOS',
  OTHER: 'Unknown',
  WEB: 'Browser',
  WINDOWS: 'Windows',
};
