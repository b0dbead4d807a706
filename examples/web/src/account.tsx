import { useQuery } from '@apollo/client/react';
import { OfflineError } from '@latchkey/client';
import { useEffect } from 'react';

import { auth } from './auth';
import { ChangePassword } from './change-password';
import { Devices } from './devices';
import { ViewerDocument } from './documents';
import { toRefusal } from './refusal';
import { useAuthState } from './use-auth-state';

export function Account() {
  const { data, error, loading, refetch } = useQuery(ViewerDocument, { notifyOnNetworkStatusChange: true });
  // Apollo tells of a failure by `error` as well.
  const reload = () => void refetch().catch(() => undefined);
  const { status } = useAuthState();

  useEffect(() => {
    // What there was no access token for is asked again when there is one.
    if (status === 'signed-in' && error instanceof OfflineError) reload();
  }, [status]);

  return (
    <>
      <div role="alert">{error !== undefined && <p className="refusal">{toRefusal(error).message}</p>}</div>
      {data !== undefined && <Profile {...data.viewer} />}
      <Devices sessions={data?.viewer.sessions ?? []} isLoading={loading} reload={reload} />
      <ChangePassword email={data?.viewer.email} />
    </>
  );
}

interface ProfileProps {
  email: string;
  username: string | null;
  roles: readonly string[];
}

function Profile({ email, username, roles }: ProfileProps) {
  return (
    <section className="card profile">
      <span className="avatar" aria-hidden="true">
        {email.charAt(0).toUpperCase()}
      </span>
      <div className="who">
        <h1>{email}</h1>
        <ul className="roles" aria-label="Roles">
          {username !== null && <li>@{username}</li>}
          {roles.map((role) => (
            <li key={role}>{role}</li>
          ))}
        </ul>
      </div>
      <div className="actions">
        <button type="button" onClick={() => void auth.logout()}>
          Sign out
        </button>
        <button type="button" className="danger" onClick={() => void auth.logout({ everywhere: true })}>
          Sign out everywhere
        </button>
      </div>
    </section>
  );
}
