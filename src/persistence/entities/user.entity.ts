import { defineEntity, p } from '@mikro-orm/core';

import { Role } from './role.entity.js';

const UserSchema = defineEntity({
  name: 'User',
  tableName: 'user_account',
  properties: {
    id: p.uuid().primary(),
    email: p.text(),
    /** The normalised form: one address, one account. */
    emailKey: p.text().unique('user_account_email_key_unique'),
    username: p.text().nullable(),
    usernameKey: p.text().nullable().unique('user_account_username_key_unique'),
    disabled: p.boolean().default(false),
    /** `uv` in access tokens: moves on when tokens issued before must not be believed any more. */
    securityVersion: p.integer().default(1),
    /** Sessions that began at an older security version are over. */
    sessionVersion: p.integer().default(1),
    createdAt: p.datetime().length(6).defaultRaw('now()'),
    roles: () => p.manyToMany(Role).owner().pivotTable('user_role').joinColumn('user_id').inverseJoinColumn('role'),
  },
});

/** Who can sign in. The password hash lives in `credential`: loading a user can never load a hash. */
export class User extends UserSchema.class {}
UserSchema.setClass(User);
