const [major] = process.versions.node.split('.');

if (Number(major) < 24) {
  throw new Error(
    `These tests need Node 24 or later, and this is Node ${process.versions.node}. ` +
      'Run `npm test`: npm takes the Node from node_modules/.bin, which `npm ci` has installed.',
  );
}
