/** The oldest Node that the dependencies run on. */
const REQUIRED_MAJOR = 24;

/** Stops at once, with what to do, on a Node that would fail in some dependency with an odd message. Imported before anything else. */
if (Number(process.versions.node.split('.')[0]) < REQUIRED_MAJOR) {
  process.stderr.write(
    `Latchkey needs Node ${String(REQUIRED_MAJOR)} or later, and this is ${process.versions.node}.\n` +
      'npm scripts bring their own: use "npm start", or "npx latchkey …", after "npm ci".\n',
  );
  process.exit(1);
}
