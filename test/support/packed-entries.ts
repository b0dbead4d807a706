/** An entry as the store packs one: 16 bytes of the key, the least version that counts, and the second that it expires in. */
export function packEntry(id: string, minimumVersion: number, expiresAt: number): Uint8Array {
  const bytes = Buffer.alloc(24);
  bytes.write(id.replaceAll('-', ''), 'hex');
  bytes.writeUInt32BE(minimumVersion, 16);
  bytes.writeUInt32BE(expiresAt, 20);
  return bytes;
}
