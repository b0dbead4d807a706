import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { startFaultProxy, type FaultProxy } from './fault-proxy.js';

/** What is lost: everything, or what the database answers. */
export type Loss = 'everything' | 'replies';

/** The network between one replica and its database, which can lose what is sent without telling anybody. */
export interface Network {
  /** Who loses it. */
  how: 'the kernel' | 'a proxy';
  /** Where the database has to listen, beside the loopback interface. */
  databaseAddress: string | undefined;
  /** The address that the replica has to listen on. */
  replicaAddress: string;
  /** What the replica's command line begins with. */
  command: readonly string[];
  /** Where the replica finds a database that listens on a port. */
  connectTo(port: number): Promise<{ host: string; port: number }>;
  lose(what: Loss): void;
  heal(): void;
  close(): Promise<void>;
}

/**
 * Puts the replica into a network namespace of its own, where the kernel drops what is lost: nothing is acknowledged, and what was sent may arrive
 * after all once it has healed. Where that is not permitted (it takes Linux and root) there is a proxy that swallows it: there the kernel goes on to
 * acknowledge, and what was lost stays so.
 *
 * @param number tells several of one process apart.
 */
export async function createNetwork(number: number): Promise<Network> {
  return (await createNamespace(number)) ?? createProxied();
}

/** An address of the link layer that nobody has: what is sent there is dropped. */
const NOBODY = '02:00:00:00:00:00';

async function createNamespace(number: number): Promise<Network | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  // It lives as long as a process in it, and that as long as its standard input.
  const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'ignore'] });
  if (!(await isInNamespace(holder))) return undefined;
  const pid = String(holder.pid);
  const inside = ['nsenter', '--target', pid, '--net'];
  const run = (words: string) => execFileSync('/bin/sh', ['-c', words], { stdio: 'ignore' });
  const runInside = (words: string) => run(`${inside.join(' ')} ${words}`);

  // Reserved for measuring networks (RFC 2544), so that it is nobody's. The database is reached from an address of its own, for that alone is cut.
  const net = `198.18.${(process.pid * 4 + number) % 256}`;
  const [clients, database, replica, replicaToDatabase] = [`${net}.1`, `${net}.2`, `${net}.3`, `${net}.4`];
  const [outer, inner] = [`lk${pid}a`, `lk${pid}b`];
  try {
    run(`ip link add ${outer} type veth peer name ${inner} netns ${pid}`);
    run(`ip address add ${clients}/24 dev ${outer} && ip address add ${database}/24 dev ${outer} && ip link set ${outer} up`);
    for (const address of [replica, replicaToDatabase]) runInside(`ip address add ${address}/24 dev ${inner}`);
    runInside(`ip link set ${inner} up`);
    runInside(`ip route add ${database}/32 dev ${inner} src ${replicaToDatabase}`);
  } catch {
    holder.kill();
    return undefined;
  }
  return {
    how: 'the kernel',
    databaseAddress: database,
    replicaAddress: replica,
    command: inside,
    connectTo: (port) => Promise.resolve({ host: database, port }),
    lose(what) {
      if (what === 'everything') runInside(`ip neighbour replace ${database} lladdr ${NOBODY} dev ${inner} nud permanent`);
      run(`ip neighbour replace ${replicaToDatabase} lladdr ${NOBODY} dev ${outer} nud permanent`);
    },
    heal() {
      runInside(`ip neighbour flush to ${database} dev ${inner} nud permanent`);
      run(`ip neighbour flush to ${replicaToDatabase} dev ${outer} nud permanent`);
    },
    async close() {
      // The namespace stays for as long as connections of its dead processes do.
      run(`ip link delete ${outer}`);
      const ended = once(holder, 'exit');
      holder.stdin.end();
      await ended;
    },
  };
}

async function isInNamespace(holder: ChildProcess): Promise<boolean> {
  holder.once('error', () => undefined);
  const own = readlinkSync('/proc/self/ns/net');
  while (holder.pid !== undefined && holder.exitCode === null && holder.signalCode === null) {
    try {
      if (readlinkSync(`/proc/${String(holder.pid)}/ns/net`) !== own) return true;
    } catch {
      // It has ended, which is about to be told.
    }
    await pause(10);
  }
  return false;
}

function createProxied(): Network {
  let proxy: FaultProxy | undefined;
  return {
    how: 'a proxy',
    databaseAddress: undefined,
    replicaAddress: '127.0.0.1',
    command: [],
    async connectTo(port) {
      proxy = await startFaultProxy({ host: '127.0.0.1', port });
      return { host: '127.0.0.1', port: proxy.port };
    },
    lose(what) {
      if (what === 'everything') proxy?.stall();
      else proxy?.loseReplies();
    },
    heal: () => proxy?.heal(),
    close: async () => proxy?.close(),
  };
}
