import { Migration } from '@mikro-orm/migrations';

/** Revocation that every replica sees, the audit trail, and throttled sign-in. */
export class Migration20261122000000_revocation extends Migration {
  override up(): void {
    // A session that began before the user's sessions were all ended is over, without a write to its row.
    this.addSql(`alter table "user_account" add column "session_version" int not null default 1`);
    this.addSql(`alter table "session" add column "user_version" int not null default 1`);

    // xid is the writing transaction: replicas poll by it, for by time or sequence they would miss rows that commit late.
    this.addSql(`
      create table "revocation" (
        "id" bigint generated always as identity,
        "kind" text not null,
        "key" uuid null,
        "minimum_version" bigint null,
        "xid" xid8 not null default pg_current_xact_id(),
        "expires_at" timestamptz(6) not null,
        primary key ("id")
      )`);
    this.addSql(`create index "revocation_xid_index" on "revocation" ("xid")`);

    this.addSql(`
      create table "audit_event" (
        "id" bigint generated always as identity,
        "occurred_at" timestamptz(6) not null default now(),
        "type" text not null,
        "user_id" uuid null,
        "session_id" uuid null,
        "actor_id" uuid null,
        "ip_address" text null,
        "user_agent" text null,
        "reason" text null,
        primary key ("id")
      )`);
    this.addSql(`create index "audit_event_user_id_index" on "audit_event" ("user_id", "id")`);

    this.addSql(`
      create table "throttle" (
        "key" text not null,
        "failures" int not null default 0,
        "pending" int not null default 0,
        "pending_since" timestamptz(6) not null default now(),
        "blocked_until" timestamptz(6) not null default now(),
        "updated_at" timestamptz(6) not null default now(),
        primary key ("key")
      ) with (fillfactor = 70)`);

    this.addSql(`update "role" set "scopes" = array_append("scopes", 'audit:read') where "name" = 'admin'`);
  }

  override down(): void {
    this.addSql(`update "role" set "scopes" = array_remove("scopes", 'audit:read') where "name" = 'admin'`);
    for (const table of ['throttle', 'audit_event', 'revocation']) this.addSql(`drop table "${table}"`);
    this.addSql(`alter table "session" drop column "user_version"`);
    this.addSql(`alter table "user_account" drop column "session_version"`);
  }
}
