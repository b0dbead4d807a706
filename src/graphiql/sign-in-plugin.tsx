import type { GraphiQLPlugin } from '@graphiql/react';
import type { Session } from './session.js';
import { SignInPanel } from './sign-in-panel.js';
import { useSession } from './use-session.js';

export function createSignInPlugin(session: Session): GraphiQLPlugin {
  return {
    title: 'Session',
    content: () => <SignInPanel session={session} />,
    icon: () => <KeyIcon isSignedIn={useSession(session).status === 'signed-in'} />,
  };
}

/** A key, with a dot once somebody is signed in. */
function KeyIcon({ isSignedIn }: { isSignedIn: boolean }) {
  return (
    <svg
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <circle cx="6.5" cy="13.5" r="4" />
      <path d="M9.5 10.5 17 3M13.5 6.5l2.5 2.5M11.5 8.5l1.5 1.5" />
      {isSignedIn && <circle cx="16.5" cy="16.5" r="2.5" className="latchkey-icon-dot" />}
    </svg>
  );
}
