import { defineEntity, p } from '@mikro-orm/core';

const RoleSchema = defineEntity({
  name: 'Role',
  tableName: 'role',
  properties: {
    name: p.text().primary(),
    scopes: p.array(),
  },
});

/** A name for a set of scopes. */
export class Role extends RoleSchema.class {}
RoleSchema.setClass(Role);
