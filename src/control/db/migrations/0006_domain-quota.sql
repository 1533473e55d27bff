ALTER TABLE "projects" ADD COLUMN "domain_quota" integer;--> statement-breakpoint
ALTER TABLE "projects" ADD CONSTRAINT "projects_domain_quota_check" CHECK ("projects"."domain_quota" >= 0);