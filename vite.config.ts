/** How the console is built: `src/console` becomes `dist/console`, which the control plane serves under a strict Content-Security-Policy. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const root = import.meta.dirname

/** The policy that the control plane sends, for `vite preview`: what breaks it is to be seen before it is served. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** The fonts are handed on with the licence that asks for it (OFL-1.1). */
const fontLicences = (): Plugin => ({
  name: 'font-licences',
  generateBundle() {
    for (const font of ['geist', 'geist-mono']) {
      const source = readFileSync(join(root, 'node_modules', '@fontsource-variable', font, 'LICENSE'), 'utf8')
      this.emitFile({ type: 'asset', fileName: `licences/${font}.txt`, source })
    }
  },
})

export default defineConfig({
  root: join(root, 'src/console'),
  plugins: [react(), fontLicences()],
  build: {
    outDir: join(root, 'dist/console'),
    emptyOutDir: true,
    target: 'es2023',
    // Both would put scripts or `data:` addresses into the page, which the policy forbids.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Which file is which, for the test that weighs what a first visit loads.
    manifest: 'manifest.json',
    license: { fileName: 'licences/packages.md' },
    reportCompressedSize: false,
  },
  // A control plane that runs already: `npx vite` then shows each edit at once.
  server: { proxy: { '/api': 'http://127.0.0.1:7400' } },
  preview: {
    headers: { 'content-security-policy': CONTENT_SECURITY_POLICY },
    proxy: { '/api': 'http://127.0.0.1:7400' },
  },
})
