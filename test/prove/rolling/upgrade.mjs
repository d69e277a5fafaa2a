export async function upgrade() {
  return {}
}
