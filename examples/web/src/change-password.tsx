import { useMutation } from '@apollo/client/react';
import { useState } from 'react';

import { ChangePasswordDocument, ViewerDocument } from './documents';
import { Form } from './form';
import { toRefusal } from './refusal';

export function ChangePassword({ email }: { email: string | undefined }) {
  const [changePassword] = useMutation(ChangePasswordDocument, { refetchQueries: [ViewerDocument] });
  const [notice, setNotice] = useState('');

  return (
    <section className="card" aria-labelledby="password">
      <h2 id="password">Password</h2>
      <Form
        label="Change the password"
        account={email}
        submit="Change the password"
        fields={[
          { name: 'currentPassword', label: 'Current password', type: 'password', autoComplete: 'current-password' },
          {
            name: 'newPassword',
            label: 'New password',
            type: 'password',
            autoComplete: 'new-password',
            hint: 'A few words make a good one.',
          },
        ]}
        onSubmit={async (valueOf) => {
          setNotice('');
          const keepOtherSessions = valueOf('keepOtherSessions') === 'on';
          const input = { currentPassword: valueOf('currentPassword'), newPassword: valueOf('newPassword'), keepOtherSessions };
          try {
            await changePassword({ variables: { input } });
          } catch (error) {
            return toRefusal(error);
          }
          setNotice(`The password is changed. Your other devices are ${keepOtherSessions ? 'still signed in' : 'signed out'}.`);
          return undefined;
        }}
      >
        <label className="check">
          <input type="checkbox" name="keepOtherSessions" /> Keep my other devices signed in
        </label>
      </Form>
      <p role="status" className="done">
        {notice}
      </p>
    </section>
  );
}
