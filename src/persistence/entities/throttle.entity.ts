import { defineEntity, p } from '@mikro-orm/core';

const ThrottleSchema = defineEntity({
  name: 'Throttle',
  tableName: 'throttle',
  properties: {
    /** What is throttled: an account, one of its devices, or a network. */
    key: p.text().primary(),
    /** Wrong passwords in a row. */
    failures: p.integer().default(0),
    /** Attempts whose outcome is not known yet. */
    pending: p.integer().default(0),
    pendingSince: p.datetime().length(6).defaultRaw('now()'),
    blockedUntil: p.datetime().length(6).defaultRaw("'-infinity'"),
    updatedAt: p.datetime().length(6).defaultRaw('now()'),
  },
});

/** How often a password was guessed wrong, and until when nobody may guess again. */
export class Throttle extends ThrottleSchema.class {}
ThrottleSchema.setClass(Throttle);
