import { Migration } from '@mikro-orm/migrations';

/** Users, their credentials and roles, their sessions, and the keys that sign. */
export class Migration20261121000000_initial extends Migration {
  override up(): void {
    this.addSql(`
      create table "user_account" (
        "id" uuid not null,
        "email" text not null,
        "email_key" text not null,
        "username" text null,
        "username_key" text null,
        "disabled" boolean not null default false,
        "security_version" int not null default 1,
        "created_at" timestamptz(6) not null default now(),
        primary key ("id"),
        constraint "user_account_email_key_unique" unique ("email_key"),
        constraint "user_account_username_key_unique" unique ("username_key")
      )`);

    this.addSql(`
      create table "credential" (
        "user_id" uuid not null,
        "password_hash" text not null,
        "updated_at" timestamptz(6) not null default now(),
        primary key ("user_id"),
        constraint "credential_user_id_foreign" foreign key ("user_id") references "user_account" ("id") on update cascade on delete cascade
      )`);

    this.addSql(`create table "role" ("name" text not null, "scopes" text[] not null, primary key ("name"))`);
    this.addSql(`
      create table "user_role" (
        "user_id" uuid not null,
        "role" text not null,
        primary key ("user_id", "role"),
        constraint "user_role_user_id_foreign" foreign key ("user_id") references "user_account" ("id") on update cascade on delete cascade,
        constraint "user_role_role_foreign" foreign key ("role") references "role" ("name") on update cascade on delete cascade
      )`);
    this.addSql(`insert into "role" ("name", "scopes") values ('user', '{}'), ('admin', '{users:read,users:write}')`);

    // Room on each page for the next version of a row: rotation is an update in place, and no index has to follow it.
    this.addSql(`
      create table "session" (
        "id" uuid not null,
        "user_id" uuid not null,
        "generation" int not null,
        "current_hash" bytea not null,
        "previous_hash" bytea null,
        "salt" bytea null,
        "secret_id" smallint not null,
        "attempt_hash" bytea null,
        "rotated_at" timestamptz(6) null,
        "seen_generation" int not null default 0,
        "scopes" text[] null,
        "auth_time" timestamptz(6) not null default now(),
        "created_at" timestamptz(6) not null default now(),
        "last_seen_at" timestamptz(6) not null default now(),
        "idle_expires_at" timestamptz(6) not null,
        "absolute_expires_at" timestamptz(6) not null,
        "revoked_at" timestamptz(6) null,
        "revoked_reason" text null,
        "device_name" text null,
        "device_platform" text not null,
        "ip_address" text null,
        "user_agent" text null,
        primary key ("id"),
        constraint "session_user_id_foreign" foreign key ("user_id") references "user_account" ("id") on delete cascade
      ) with (fillfactor = 70)`);
    this.addSql(`create index "session_user_id_index" on "session" ("user_id")`);

    this.addSql(`
      create table "signing_key" (
        "kid" text not null,
        "algorithm" text not null,
        "public_jwk" jsonb not null,
        "sealed_private_jwk" bytea not null,
        "secret_id" smallint not null,
        "created_at" timestamptz(6) not null default now(),
        "activates_at" timestamptz(6) not null,
        "expires_at" timestamptz(6) null,
        primary key ("kid")
      )`);
  }

  override down(): void {
    for (const table of ['signing_key', 'session', 'user_role', 'role', 'credential', 'user_account']) {
      this.addSql(`drop table "${table}"`);
    }
  }
}
