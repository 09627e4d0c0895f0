import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

/** No inline script, nothing from elsewhere, no frame: what an injected string could still do is nothing. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  'strict-transport-security': 'max-age=31536000',
};

export interface Asset {
  readonly path: string;
  readonly contentType: string;
  readonly bytes: Buffer;
  /** Files named by their content's hash never change. */
  readonly immutable: boolean;
}

/** Reads the built page; none when it was not built. */
export function loadAssets(folder: string): readonly Asset[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const contentType = CONTENT_TYPES[path.extname(name)];
    if (contentType === undefined) return [];
    const bytes = readFileSync(path.join(folder, name));
    return [{ path: `/${name.split(path.sep).join('/')}`, contentType, bytes, immutable: name.startsWith('assets') }];
  });
}

/** Serves the page: its files by name, its document at every address the page itself routes. */
export function addConsoleRoutes(app: FastifyInstance, assets: readonly Asset[]): void {
  app.addHook('onSend', async (_request, reply) => {
    void reply.headers(SECURITY_HEADERS);
  });
  for (const asset of assets) {
    app.get(asset.path, (_request, reply) =>
      reply
        .type(asset.contentType)
        .header('cache-control', asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
        .send(asset.bytes),
    );
  }
  const document = assets.find((asset) => asset.path === '/index.html');
  if (document === undefined) return;
  for (const address of ['/', '/devices/*', '/rollouts', '/rollouts/*', '/audit']) {
    app.get(address, (_request, reply) =>
      reply.type(document.contentType).header('cache-control', 'no-cache').send(document.bytes),
    );
  }
}
