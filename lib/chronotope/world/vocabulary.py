"""The topics of the demo world and the words that tell them, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass

DAYPARTS = (
    "weekday_night",
    "weekday_morning",
    "weekday_midday",
    "weekday_afternoon",
    "weekday_evening",
    "weekend_night",
    "weekend_day",
    "weekend_evening",
)


@dataclass(frozen=True)
class Topic:
    """A subject of interest: its category, its words, its usual price, and the dayparts (see DAYPARTS) it suits.

    Words are separated by spaces; those of different topics do not overlap, so that terms
    tell the topic.
    """

    name: str
    kind: str
    kind_zh: str
    words: str
    words_zh: str
    price: float
    suits: tuple[int, ...]
    online: bool = False


TOPICS = (
    Topic(
        "coffee", "Coffee", "咖啡馆",
        "espresso latte roast beans filter crema arabica barista cappuccino grinder",
        "浓缩 拿铁 烘焙豆 手冲 奶泡 阿拉比卡 咖啡师 卡布奇诺 磨豆 冷萃", 5, (1, 3),
    ),
    Topic(
        "bakery", "Bakery", "面包店",
        "croissant sourdough baguette pastry rye brioche oven flour crust bun",
        "可颂 酸面包 法棍 酥皮 黑麦 布里欧 烤箱 面粉 脆皮 肉桂卷", 7, (1, 6),
    ),
    Topic(
        "noodles", "Noodles", "面馆",
        "ramen broth udon dumpling soba chili scallion pork wonton tofu",
        "拉面 高汤 乌冬 饺子 荞麦面 辣椒 葱花 叉烧 馄饨 豆腐", 14, (2, 4),
    ),
    Topic(
        "gym", "Gym", "健身房",
        "barbell squat treadmill yoga pilates kettlebell rowing stretch cardio trainer",
        "杠铃 深蹲 跑步机 瑜伽 普拉提 壶铃 划船机 拉伸 有氧 教练", 20, (1, 4),
    ),
    Topic(
        "books", "Bookshop", "书店",
        "novel poetry paperback author chapter essay biography mystery fiction library",
        "小说 诗歌 平装 作家 章节 散文 传记 悬疑 虚构 藏书", 16, (3, 6),
    ),
    Topic(
        "park", "Park", "公园",
        "meadow picnic pond trail oak playground birds lawn jogging blossom",
        "草地 野餐 池塘 步道 橡树 游乐场 鸟类 草坪 慢跑 樱花", 3, (2, 6),
    ),
    Topic(
        "museum", "Museum", "博物馆",
        "gallery sculpture painting exhibit fresco antique portrait curator ceramic mosaic",
        "画廊 雕塑 绘画 展览 壁画 古董 肖像 策展 陶瓷 马赛克", 18, (3, 6),
    ),
    Topic(
        "bar", "Bar", "酒吧",
        "cocktail whisky negroni lager gin tequila bartender rooftop brewery tonic",
        "鸡尾酒 威士忌 尼格罗尼 拉格 金酒 龙舌兰 调酒师 露台 精酿 汤力水", 12, (4, 5, 7),
    ),
    Topic(
        "concert", "Concert", "音乐厅",
        "symphony jazz guitar orchestra vinyl singer drums festival choir piano",
        "交响乐 爵士 吉他 乐团 黑胶 歌手 鼓手 音乐节 合唱 钢琴", 45, (4, 7),
    ),
    Topic(
        "cinema", "Cinema", "电影院",
        "thriller documentary popcorn director screen premiere animation comedy western sequel",
        "惊悚片 纪录片 爆米花 导演 银幕 首映 动画 喜剧 西部片 续集", 13, (5, 7),
    ),
    Topic(
        "cooking", "Cooking", "厨具",
        "skillet knife saucepan whisk recipe spice casserole ladle cookbook seasoning",
        "煎锅 菜刀 炖锅 打蛋器 食谱 香料 砂锅 汤勺 烹饪 调味", 30, (0, 4), online=True,
    ),
    Topic(
        "electronics", "Electronics", "数码",
        "headphones laptop charger keyboard monitor tablet camera speaker router battery",
        "耳机 笔记本电脑 充电器 键盘 显示器 平板 相机 音箱 路由器 电池", 120, (0, 5), online=True,
    ),
    Topic(
        "outdoor", "Outdoor", "户外",
        "tent backpack hiking boots compass headlamp sleeping thermos climbing rope",
        "帐篷 背包 徒步 登山靴 指南针 头灯 睡袋 保温瓶 攀岩 绳索", 80, (0, 2, 5), online=True,
    ),
)  # fmt: skip
TOPIC_NAMES = [topic.name for topic in TOPICS]
SUITED, OTHER = 1.0, 0.05  # weight of a topic in a daypart that it suits, and in another


def suitability(daypart: int) -> list[float]:
    """What everybody's taste is in a daypart: one weight per topic.

    >>> [TOPIC_NAMES[i] for i, weight in enumerate(suitability(0)) if weight == SUITED]
    ['cooking', 'electronics', 'outdoor']
    """
    return [SUITED if daypart in topic.suits else OTHER for topic in TOPICS]
