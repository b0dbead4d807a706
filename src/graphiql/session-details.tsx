import { Button } from '@graphiql/react';
import { useEffect, useId, useState } from 'react';
import type { Session, SessionState } from './session.js';

type SignedIn = Extract<SessionState, { status: 'signed-in' }>;

/** Who is signed in, until when the access token lives, and the ways to use or end the session. */
export function SessionDetails({ session, state }: { session: Session; state: SignedIn }) {
  const titleId = useId();
  return (
    <div className="latchkey-details" role="group" aria-labelledby={titleId}>
      <h2 id={titleId} className="latchkey-title">
        Signed in
      </h2>
      {state.user !== undefined && (
        <div className="latchkey-user">
          <strong>{state.user.email}</strong>
          <ul aria-label="Roles">
            {state.user.roles.map((role) => (
              <li key={role}>{role}</li>
            ))}
          </ul>
        </div>
      )}
      <div className="latchkey-token">
        <Countdown expiresAt={state.accessTokenExpiresAt} />
        <p className="latchkey-error" role="status">
          {state.trouble !== undefined && `Not refreshed yet: ${state.trouble} You stay signed in, and the page tries again by itself.`}
        </p>
        <p className="latchkey-hint">
          Sent as a bearer token with every operation, unless the Headers editor has an Authorization of its own. Refreshed before it
          expires.
        </p>
        <div className="latchkey-actions">
          <Button type="button" onClick={() => void session.refresh()}>
            Refresh now
          </Button>
          <CopyButton label="Copy access token" text={state.accessToken} />
          <CopyButton label="Copy refresh token" text={state.refreshToken} />
        </div>
      </div>
      <Button type="button" className="latchkey-primary" onClick={() => void session.signOut()}>
        Log out
      </Button>
      <p className="latchkey-hint">Tokens are kept in this tab&rsquo;s memory only: reloading the page forgets them.</p>
    </div>
  );
}

function Countdown({ expiresAt }: { expiresAt: number }) {
  const now = useNow();
  const seconds = Math.max(0, Math.ceil((expiresAt - now) / 1000));
  return (
    <p className="latchkey-countdown">
      Access token {seconds === 0 ? 'expired' : 'expires in'} {/* A timer is not announced each second, only when it is asked for. */}
      <span role="timer" aria-label="Time left">
        {seconds > 0 && formatDuration(seconds)}
      </span>
    </p>
  );
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const interval = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(interval);
    };
  }, []);
  return now;
}

function formatDuration(seconds: number): string {
  return `${String(Math.floor(seconds / 60))}:${String(seconds % 60).padStart(2, '0')}`;
}

function CopyButton({ label, text }: { label: string; text: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'failed'>();

  useEffect(() => {
    if (outcome === undefined) return;
    const timeout = setTimeout(() => {
      setOutcome(undefined);
    }, 2000);
    return () => {
      clearTimeout(timeout);
    };
  }, [outcome]);

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('copied');
    } catch {
      // Denied, or the page is neither on https nor on localhost and has no clipboard.
      setOutcome('failed');
    }
  }

  return (
    <Button type="button" onClick={() => void copy()}>
      <span aria-live="polite">{outcome === undefined ? label : outcome === 'copied' ? 'Copied' : 'The browser refused'}</span>
    </Button>
  );
}
