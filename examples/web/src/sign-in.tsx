import { useState } from 'react';

import { auth } from './auth';
import { Form } from './form';

export function SignIn() {
  const [isNew, setIsNew] = useState(false);
  return (
    <section className="card narrow">
      <h1>{isNew ? 'Create an account' : 'Sign in'}</h1>
      {isNew ? <RegisterForm /> : <LoginForm />}
      <p className="switch">
        {isNew ? 'You have an account?' : 'You are new here?'}{' '}
        <button
          type="button"
          className="link"
          onClick={() => {
            setIsNew(!isNew);
          }}
        >
          {isNew ? 'Sign in' : 'Create an account'}
        </button>
      </p>
    </section>
  );
}

function LoginForm() {
  return (
    <Form
      label="Sign in"
      submit="Sign in"
      fields={[
        { name: 'identifier', label: 'E-mail or username', autoComplete: 'username' },
        { name: 'password', label: 'Password', type: 'password', autoComplete: 'current-password' },
      ]}
      onSubmit={async (valueOf) => {
        const result = await auth.login({ identifier: valueOf('identifier').trim(), password: valueOf('password') });
        return result.ok ? undefined : result.error;
      }}
    />
  );
}

function RegisterForm() {
  return (
    <Form
      label="Create an account"
      submit="Create the account"
      fields={[
        { name: 'email', label: 'E-mail', type: 'email', autoComplete: 'email' },
        { name: 'username', label: 'Username', autoComplete: 'username', isOptional: true },
        { name: 'password', label: 'Password', type: 'password', autoComplete: 'new-password', hint: 'A few words make a good one.' },
      ]}
      onSubmit={async (valueOf) => {
        const username = valueOf('username').trim();
        const result = await auth.register({
          email: valueOf('email').trim(),
          password: valueOf('password'),
          ...(username === '' ? {} : { username }),
        });
        return result.ok ? undefined : result.error;
      }}
    />
  );
}
