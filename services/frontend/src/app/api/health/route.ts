// `dynamic` must be a literal in each file; Next does not follow a re-export.
export const dynamic = "force-dynamic";

export { GET } from "@/app/healthz/route";
