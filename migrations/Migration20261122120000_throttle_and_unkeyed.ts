import { Migration } from '@mikro-orm/migrations';

/** A throttle that blocks nobody says so, and what concerns everyone is found without reading every revocation. */
export class Migration20261122120000_throttle_and_unkeyed extends Migration {
  override up(): void {
    // With now(), an attempt that began a moment before the row was made was refused.
    this.addSql(`alter table "throttle" alter column "blocked_until" set default '-infinity'`);
    this.addSql(`create index "revocation_for_everyone_index" on "revocation" ("id") where "key" is null`);
  }

  override down(): void {
    this.addSql(`drop index "revocation_for_everyone_index"`);
    this.addSql(`alter table "throttle" alter column "blocked_until" set default now()`);
  }
}
