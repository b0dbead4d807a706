export interface UserRecord {
  id: string;
  email: string;
  username: string | null;
  roles: readonly string[];
  disabled: boolean;
  createdAt: Date;
}

/** A user as `USER_RECORD` selects one. */
export type UserColumn = Omit<UserRecord, 'createdAt'> & { createdAt: number };

/** The record of the user `u`, in one column: to read six of them takes a client longer than to parse the text. */
export const USER_RECORD = `jsonb_build_object(
    'id', u.id, 'email', u.email, 'username', u.username, 'disabled', u.disabled, 'createdAt', extract(epoch FROM u.created_at),
    'roles', ARRAY(SELECT ur.role FROM user_role ur WHERE ur.user_id = u.id ORDER BY ur.role COLLATE "C"))`;

export function toUserRecord(column: UserColumn): UserRecord {
  return { ...column, createdAt: new Date(column.createdAt * 1000) };
}
