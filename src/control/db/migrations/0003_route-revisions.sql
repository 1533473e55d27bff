-- A node has a route as it is now when it has confirmed the revision in which the route last changed. That revision is written here, so that
-- no way of changing a route can forget it. A change has counted the revision up before it writes anything.
CREATE FUNCTION "current_revision"() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT "revision" FROM "revisions" WHERE "id" = 1 $$;
--> statement-breakpoint
CREATE FUNCTION "service_ports_mark_route"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  own text[] := ARRAY['version', 'created_at', 'updated_at', 'route_revision', 'route_changed_at'];
BEGIN
  IF TG_OP = 'INSERT' OR to_jsonb(NEW) - own IS DISTINCT FROM to_jsonb(OLD) - own THEN
    NEW."route_revision" := current_revision();
    NEW."route_changed_at" := clock_timestamp();
  END IF;
  RETURN NEW;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "service_ports_mark_route" BEFORE INSERT OR UPDATE ON "service_ports"
  FOR EACH ROW EXECUTE FUNCTION "service_ports_mark_route"();
--> statement-breakpoint
-- Where a service answers, and what it speaks, is part of each of its routes.
CREATE FUNCTION "service_mark_routes"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE "service_ports" SET "route_revision" = current_revision(), "route_changed_at" = clock_timestamp()
    WHERE "service_id" IN (
      CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) ->> TG_ARGV[0] END,
      CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) ->> TG_ARGV[0] END
    ) AND "route_revision" <> current_revision();
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "endpoints_mark_routes" AFTER INSERT OR UPDATE OR DELETE ON "endpoints"
  FOR EACH ROW EXECUTE FUNCTION "service_mark_routes"('service_id');
--> statement-breakpoint
CREATE TRIGGER "services_mark_routes" AFTER UPDATE OF "preset" ON "services"
  FOR EACH ROW WHEN (OLD."preset" IS DISTINCT FROM NEW."preset") EXECUTE FUNCTION "service_mark_routes"('id');
