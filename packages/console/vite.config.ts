import { preact } from '@preact/preset-vite';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [preact()],
  build: { target: 'es2022', modulePreload: { polyfill: false }, reportCompressedSize: true, assetsInlineLimit: 0 },
});
