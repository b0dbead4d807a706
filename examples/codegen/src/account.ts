import { execute } from './api';
import { graphql } from './gql';
import type { ViewerQuery } from './gql/graphql';

const ViewerDocument = graphql(`
  query Viewer {
    viewer {
      email
      roles
      createdAt
      sessions {
        ...Device
      }
    }
  }
`);

const ChangePasswordDocument = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) {
      user {
        id
      }
    }
  }
`);

export type Viewer = ViewerQuery['viewer'];

export async function loadViewer(): Promise<Viewer> {
  return (await execute(ViewerDocument, {})).viewer;
}

/** Every other session ends with it. */
export async function changePassword(currentPassword: string, newPassword: string): Promise<void> {
  await execute(ChangePasswordDocument, { input: { currentPassword, newPassword } });
}
