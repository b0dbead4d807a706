import { useEffect, useRef } from 'react';
import { CredentialsForm } from './credentials-form.js';
import type { Session } from './session.js';
import { SessionDetails } from './session-details.js';
import { useSession } from './use-session.js';

/** Who is signed in, or the form to sign in with. */
export function SignInPanel({ session }: { session: Session }) {
  const state = useSession(session);
  const panel = useRef<HTMLElement>(null);
  const statusBefore = useRef(state.status);

  useEffect(() => {
    if (statusBefore.current === state.status) return;
    statusBefore.current = state.status;
    // The button just pressed is gone. Only then: a session that ends by itself must not take the focus out of the editor.
    if (document.activeElement === document.body) panel.current?.focus();
  }, [state.status]);

  return (
    <section className="latchkey-panel" aria-label="Session" ref={panel} tabIndex={-1}>
      <p className="latchkey-notice" role="status">
        {state.status === 'signed-out' && state.notice}
      </p>
      {state.status === 'signed-in' ? <SessionDetails session={session} state={state} /> : <CredentialsForm session={session} />}
    </section>
  );
}
