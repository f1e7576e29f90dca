"""URLs of the kernel's portal pages; apps have their own."""

from django.urls import path
from django.views.i18n import set_language

from alliance.portal import (
    api_calls,
    api_keys,
    crawlers,
    demo,
    members,
    memberships,
    onboarding,
    palette,
    saved_views,
    test_mode,
    theme,
    views,
)
from alliance.portal.same_site import from_own_pages

urlpatterns = [
    path("", views.home, name="home"),
    path("favicon.ico", crawlers.favicon, name="favicon"),
    path("robots.txt", crawlers.robots, name="robots"),
    path("demo-progress/", demo.demo_progress_show, name="demo_progress"),
    path("language/", from_own_pages(set_language), name="set_language"),
    path("theme/", from_own_pages(theme.set_theme), name="set_theme"),
    path("organisation/switch/", views.switch_organisation, name="organisation_switch"),
    path("organisation/suspended/", views.suspended, name="suspended"),
    path("welcome/", onboarding.onboarding, name="onboarding"),
    path("test-mode/", test_mode.switch_mode, name="test_mode"),
    path("members/", members.member_list, name="member_list"),
    path("members/<int:member_id>/role/", members.member_edit, name="member_edit"),
    path("members/<int:member_id>/remove/", members.member_remove, name="member_remove"),
    path(
        "members/invitations/<int:invitation_id>/withdraw/",
        members.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path(
        "members/invitations/<int:invitation_id>/reinstate/",
        members.invitation_reinstate,
        name="invitation_reinstate",
    ),
    path("organisations/", memberships.membership_list, name="membership_list"),
    path("organisations/<int:organisation_id>/leave/", memberships.membership_leave, name="membership_leave"),
    path("invitations/<str:token>/", memberships.invitation_show, name="invitation_show"),
    path("invitations/<int:invitation_id>/answer/", memberships.invitation_answer, name="invitation_answer"),
    path("find/", palette.palette_find, name="palette_find"),
    path("views/<slug:listing>/", saved_views.view_list, name="view_list"),
    path("views/<slug:listing>/<int:view_id>/rename/", saved_views.view_rename, name="view_rename"),
    path("views/<slug:listing>/<int:view_id>/default/", saved_views.view_default, name="view_default"),
    path("views/<slug:listing>/<int:view_id>/delete/", saved_views.view_delete, name="view_delete"),
    path("views/<slug:listing>/<int:view_id>/restore/", saved_views.view_restore, name="view_restore"),
    path("api-calls/", api_calls.api_call_list, name="api_call_list"),
    path("api-calls/<int:call_id>/", api_calls.api_call_show, name="api_call_show"),
    path("api-keys/", api_keys.api_key_list, name="api_key_list"),
    path("api-keys/new/", api_keys.api_key_create, name="api_key_create"),
    path("api-keys/<int:api_key_id>/rotate/", api_keys.api_key_rotate, name="api_key_rotate"),
    path("api-keys/<int:api_key_id>/revoke/", api_keys.api_key_revoke, name="api_key_revoke"),
]
