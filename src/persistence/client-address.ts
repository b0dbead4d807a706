/** Where a request comes from. */
export interface ClientAddress {
  ipAddress: string | null;
  userAgent: string | null;
}
