/** People name projects; the interface wants ids. */
import { type Project, ProjectPage } from '../../api/project.ts'
import { CliError } from '../io.ts'
import type { ApiClient } from './api-client.ts'

async function* allProjects(client: ApiClient): AsyncGenerator<Project> {
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: ProjectPage = await client.ask({ path: `/projects?limit=100${query}` }, ProjectPage)
    yield* page.items
    cursor = page.nextCursor
  }
}

/** The id of the project with this name or id. Throws a CliError that names those there are. */
export async function projectId(client: ApiClient, wanted: string): Promise<string> {
  const names: string[] = []
  for await (const { id, name } of allProjects(client)) {
    if (id === wanted || name === wanted) return id
    names.push(name)
  }
  const known = names.length === 0 ? 'there is none yet' : `there are ${names.slice(0, 20).join(', ')}`
  throw new CliError(1, [`there is no project ${JSON.stringify(wanted)}; ${known}`])
}
