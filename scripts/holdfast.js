#!/usr/bin/env node
// The `holdfast` command: starts the CLI with a Node that is new enough.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './launch.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
launch([path.join(root, 'packages', 'cli', 'src', 'main.ts'), ...process.argv.slice(2)]);
