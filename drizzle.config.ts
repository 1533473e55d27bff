import { defineConfig } from 'drizzle-kit'

// biome-ignore lint/style/noDefaultExport: drizzle-kit reads its settings from one
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/control/db/schema*.ts',
  out: './src/control/db/migrations',
})
