-- Who may see and change what. Without a subject the comparisons are null, and nothing is allowed.

-- These look past the policies of the other table: policies that asked each other would never end.
create function owns_note(note uuid) returns boolean
language sql stable security definer
set search_path from current
as $$
    select exists (
        select from notes n
        where n.id = note and n.user_id_ref = freehold.subject()::uuid
    )
$$;

create function shared_with_me(note uuid) returns boolean
language sql stable security definer
set search_path from current
as $$
    select exists (
        select from shares s
        where s.note_id = note and s.user_id_ref = freehold.subject()::uuid
    )
$$;

create function may_edit(note uuid) returns boolean
language sql stable security definer
set search_path from current
as $$
    select exists (
        select from notes n
        where n.id = note and n.user_id_ref = freehold.subject()::uuid
    ) or exists (
        select from shares s
        where s.note_id = note and s.user_id_ref = freehold.subject()::uuid and s.may_edit
    )
$$;

alter table notes enable row level security;
create policy read_own_and_shared on notes
    for select using (user_id_ref = (select freehold.subject())::uuid or shared_with_me(id));
create policy make_own on notes
    for insert with check (user_id_ref = (select freehold.subject())::uuid);
create policy change_what_one_may_edit on notes
    for update using (user_id_ref = (select freehold.subject())::uuid or may_edit(id));
create policy delete_own on notes
    for delete using (user_id_ref = (select freehold.subject())::uuid);

-- A policy sees a row before or after a change, never both: that a note stays its owner's is said here.
create function keep_owner() returns trigger
language plpgsql
as $$
begin
    if new.user_id_ref is distinct from old.user_id_ref then
        raise exception using
            errcode = '23514',
            constraint = 'notes_owner_stays',
            message = 'a note stays with its owner';
    end if;
    return new;
end
$$;
create trigger notes_keep_owner before update of user_id_ref on notes
    for each row execute function keep_owner();

alter table tags enable row level security;
create policy own on tags
    using (user_id_ref = (select freehold.subject())::uuid);

alter table note_tags enable row level security;
create policy own on note_tags
    using (owns_note(note_id) and exists (select from tags t where t.id = tag_id));

alter table shares enable row level security;
create policy read_mine_and_of_my_notes on shares
    for select using (user_id_ref = (select freehold.subject())::uuid or owns_note(note_id));
create policy share_own on shares
    for insert with check (owns_note(note_id));
create policy change_of_own on shares
    for update using (owns_note(note_id));
-- Whoever does not want to see a note any more takes their own share away.
create policy end_mine_and_of_my_notes on shares
    for delete using (user_id_ref = (select freehold.subject())::uuid or owns_note(note_id));

alter table note_texts enable row level security;
create policy of_notes_one_sees on note_texts
    for select using (exists (select from notes n where n.id = note_texts.id));

alter table note_activity enable row level security;
create policy of_notes_one_sees on note_activity
    for select using (exists (select from notes n where n.id = note_activity.id));
