"""The first line of files that pages give out: in Chinese for Chinese readers. Pure.

Programs get the documented names. A file that is read again has the names of its format.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from django.utils.translation import get_language

from alliance.csv_files.columns import REMARK, REMARK_LABEL, FileFormat
from alliance.csv_files.writing import MARK

_CHINESE: Final[Mapping[str, str]] = {
    REMARK: REMARK_LABEL,
    "amount": "金额（元）",
    "balance": "累计（元）",
    "booked_at": "下单时间",
    "cancelled_at": "取消时间",
    "cause": "原因",
    "code": "扫描代码",
    "column": "列",
    "counterparty": "对方",
    "courier": "快递公司",
    "currency": "币种",
    "daily_capacity": "每日件量上限",
    "day": "日期",
    "declared_value": "保价金额（元）",
    "delivered_at": "签收时间",
    "destination": "目的城市",
    "destination_province": "目的省份",
    "detail": "说明",
    "entry": "条目",
    "few": "样本少",
    "handover": "交接结果",
    "id": "编号",
    "judged_by": "考核时间",
    "kind": "环节",
    "lane": "线路",
    "late_by_seconds": "超时（秒）",
    "return_of": "原单号",
    "returned_by": "退件单号",
    "return_cancelled_at": "退件取消时间",
    "line": "行号",
    "lost_at": "丢失时间",
    "merchant": "商家",
    "month": "月份",
    "moved_by": "改期方",
    "note": "备注",
    "occurred_at": "扫描时间",
    "old_daily_capacity": "原每日件量上限",
    "old_on_sale": "原是否在售",
    "old_price": "原价格（元）",
    "on_sale": "是否在售",
    "order": "首件运单号",
    "origin": "始发城市",
    "origin_province": "始发省份",
    "outcome": "时效结果",
    "pickup_by": "最晚揽收时间",
    "piece": "第几件",
    "piece_count": "件数",
    "price": "价格（元）",
    "promise_current": "承诺送达时间",
    "promise_original": "原承诺送达时间",
    "provisional": "暂定",
    "reached_at": "完成时间",
    "recipient_address": "收件人地址",
    "recipient_name": "收件人姓名",
    "recipient_phone": "收件人电话",
    "reference": "订单参考号",
    "result": "结果",
    "status": "状态",
    "status_at": "状态时间",
    "tier": "时效产品",
    "tracking_number": "运单号",
    "week": "周",
    "weekday": "星期",
    "weight_g": "重量（克）",
    "what_to_do": "处理办法",
    "written_at": "记账时间",
}


def header(columns: Iterable[str], form: FileFormat | None = None) -> list[str]:
    """Return the names of columns for the reader; a column without a Chinese one keeps its own."""
    if get_language() != "zh-hans":
        return list(columns)
    own = {column: label for label, column in form.labels.items()} if form else {}
    return [own.get(name) or _chinese(name) for name in columns]


def for_reader(chunks: Iterator[bytes], form: FileFormat | None = None) -> Iterator[bytes]:
    """Return a file of ours with its first line in the language of the request, not of the response."""
    line, end, rest = next(chunks, b"").partition(b"\r\n")
    names = header(line.decode("utf-8-sig").split(","), form)
    return _chain((MARK + ",".join(names)).encode() + end + rest, chunks)


def _chinese(name: str) -> str:
    code = name.removesuffix("_name")
    if code in _CHINESE and name not in _CHINESE:
        return f"{_CHINESE[code]}名称"
    return _CHINESE.get(name, name)


def _chain(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others
