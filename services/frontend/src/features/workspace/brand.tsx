import { Check } from "lucide-react";

export function Brand() {
  return (
    <p className="flex items-center gap-2.5 text-lg font-bold tracking-tight">
      <span className="grid size-8 place-items-center rounded-[10px] bg-accent text-on-accent">
        <Check aria-hidden className="size-5" strokeWidth={3} />
      </span>
      Todo
    </p>
  );
}
