/** True for a host that is this machine. `hostname` is that of a URL object, or an address of a listener. */
export const isLoopback = (hostname: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/.test(hostname)
