import { Field, ID, ObjectType, registerEnumType } from 'type-graphql';

import type { SessionRecord } from '../../persistence/session.store.js';
import type { Loaders } from '../context.js';

export enum DevicePlatform {
  IOS = 'IOS',
  ANDROID = 'ANDROID',
  MACOS = 'MACOS',
  WINDOWS = 'WINDOWS',
  LINUX = 'LINUX',
  WEB = 'WEB',
  OTHER = 'OTHER',
}

const platforms = new Map<string, DevicePlatform>(Object.entries(DevicePlatform));

/** A platform that a newer version stored is OTHER to this one. */
export function toDevicePlatform(stored: string): DevicePlatform {
  return platforms.get(stored) ?? DevicePlatform.OTHER;
}

registerEnumType(DevicePlatform, {
  name: 'DevicePlatform',
  description: 'What a device runs.',
  valuesConfig: {
    IOS: { description: 'iPhone and iPad.' },
    ANDROID: { description: 'Android.' },
    MACOS: { description: 'A Mac.' },
    WINDOWS: { description: 'Windows.' },
    LINUX: { description: 'Linux.' },
    WEB: { description: 'A browser.' },
    OTHER: { description: 'Anything else, or unknown.' },
  },
});

@ObjectType({ description: 'A device, as it described itself when it signed in.' })
export class Device {
  @Field(() => String, { nullable: true, description: 'What its owner calls it.' })
  name!: string | null;

  @Field(() => DevicePlatform, { description: 'What it runs.' })
  platform!: DevicePlatform;
}

/** A reference: its id is known, and its other fields are read when they are asked for (`resolvers/session.resolver.ts`). */
@ObjectType('Session', { description: 'One sign-in on one device. It lives until it is revoked, or is not refreshed for too long.' })
export class SessionType {
  @Field(() => ID, { description: 'A UUID: the sid claim of its access tokens.' })
  readonly id: string;

  private readonly record: SessionRecord | undefined;

  /** @param record if whoever makes it has that already. */
  constructor(id: string, record?: SessionRecord) {
    this.id = id;
    this.record = record;
  }

  /** Reads something of its record, which is loaded unless it came along: no promise is made for each field of each session on a list. */
  read<T>({ session }: Pick<Loaders, 'session'>, select: (record: SessionRecord) => T): T | Promise<T> {
    return this.record === undefined ? session.load(this.id).then(select) : select(this.record);
  }
}
