import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    include: ['test/**/*.test.{ts,tsx}'],
    // JupyterLab and Yjs warn of much that is as it should be
    silent: 'passed-only',
    // (it runs beside the start of clusters)
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['test/browser.ts'],
    // JupyterLab's packages are modules that only bundlers resolve
    server: { deps: { inline: [/@jupyter/, /@lumino/] } }
  }
});
