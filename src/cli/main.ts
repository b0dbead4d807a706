#!/usr/bin/env node
import '../node-version.js';
import '../compile-cache.js';

const { runCli } = await import('./program.js');

await runCli(process.argv, process.env);
