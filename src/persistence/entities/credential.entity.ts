import { defineEntity, p } from '@mikro-orm/core';

import { User } from './user.entity.js';

const CredentialSchema = defineEntity({
  name: 'Credential',
  tableName: 'credential',
  properties: {
    user: () => p.oneToOne(User).primary().joinColumn('user_id').deleteRule('cascade'),
    /** argon2id, a PHC string. */
    passwordHash: p.text(),
    updatedAt: p.datetime().length(6).defaultRaw('now()'),
  },
});

/** How a user proves who they are. */
export class Credential extends CredentialSchema.class {}
CredentialSchema.setClass(Credential);
